"""Matching RTL: one Amaranth component per datapath, one array generator for all."""
