"""What is measured: our client, the bare libraries and the peers, all behind one small face."""
