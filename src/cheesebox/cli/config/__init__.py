"""``cheesebox config``: what to write into the configuration of the tools around cheesebox."""
