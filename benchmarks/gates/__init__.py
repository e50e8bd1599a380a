"""Gates that luck cannot pass, measured: false promotions, missed improvements, slow decay, speed."""
