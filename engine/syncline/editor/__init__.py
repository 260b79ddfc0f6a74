"""The editor: what `syncline validate` says, while somebody writes, by the Language Server Protocol.

`server.py` is where a client is served; `repository.py` where the repository is judged.
"""
