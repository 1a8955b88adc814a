#!/usr/bin/env python3
"""A plugin for upl-host with two policies: label-propagation and dawid-skene."""

import upl_plugin as upl
from dawid_skene import DawidSkene
from label_propagation import LabelPropagation

if __name__ == "__main__":
    upl.serve(LabelPropagation, DawidSkene)
