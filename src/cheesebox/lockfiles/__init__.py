"""What lock files and requirements ask for, pure: readers, targets, and the choice of files."""
