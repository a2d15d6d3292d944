"""What the framework costs, beside the bare libraries and beside its peers, in one run.

    make bench                                   everything, and the pages of docs/
    python -m benchmarks --quick --only spark    cases whose names begin so, briefly

Each case is measured in processes of its own, against a server in another, which plays bytes that
were made beforehand. Ratios are to the bare loop of the same run: figures of another machine, or of
another day, don't compare.
"""
