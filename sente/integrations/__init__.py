"""Sente under other frameworks."""
