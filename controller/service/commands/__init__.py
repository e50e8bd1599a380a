"""What people and programs may ask for, and who may."""
