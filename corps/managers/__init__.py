"""The runtime's own Concs (EnvMgr, CorpsMgr) and the one place where an Env is put together."""
