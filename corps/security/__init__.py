"""Which peers may connect: CURVE key pairs and the rule that admits or refuses a peer.

Pure decisions. The sockets that ask for them live in `transport`. Default deny.
"""
