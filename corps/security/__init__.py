"""Who may connect: CURVE key pairs and the rule that admits or refuses a peer.

Pure decisions; the sockets that ask for them live in `transport`. Default deny.
"""
