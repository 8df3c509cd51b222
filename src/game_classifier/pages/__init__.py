"""Showing: tables, pictures and HTML pages."""
