"""Video in, timeline out: which game is shown from when to when."""
