"""The Simple repository API (PEP 503, 691, 700, 714, 740, 792) as pure functions and values.

Names, paths, pages, their two representations, links and content negotiation: everything here
takes its input as arguments and gives back a value. Nothing waits, tells the time or opens a file.
"""
