"""Simulated users: one client and one Locust user per path, and the questions they ask."""
