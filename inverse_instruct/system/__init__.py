"""Processes, devices and libraries of this machine."""
