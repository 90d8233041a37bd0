"""Side-by-side benchmarks: cheesebox and its peers on the same core, in the same run, on the same bodies."""
