"""``cheesebox doctor``: what may keep the cache from working here.

Rules of this package:
1. A verdict is a pure function from facts to findings; `looking` and `asking` gather facts and judge
   nothing.
2. Nothing that was there is changed.
3. A finding that is not in order says what to do.
"""
