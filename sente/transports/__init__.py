"""How frames travel: the server's gates and the client's links."""
