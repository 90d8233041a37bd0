"""The pages below ``/-/`` for people who run the cache: plain HTML, kept up to date where scripts run."""
