"""Telling people and systems what happens: from events and conditions to messages, and from messages to channels.

`incidents.py` and `threads.py` decide, without I/O, what is to be told; `dispatcher.py` keeps that in the state's
outbox; `sender.py` sends what is there, through `channels.py`.
"""
