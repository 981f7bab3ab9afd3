"""What holds for all tests."""

import signal

# A shell starts background jobs with Ctrl-C ignored, processes inherit that: tests that press it would wait in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
