"""Throughput records: how they are measured, kept, compared and used. Nothing here prints."""
