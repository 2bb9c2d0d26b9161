"""What ``test_kills`` runs under uvicorn, to kill and to suspend it."""

from tests.faults.server import faulty_server

app = faulty_server()
