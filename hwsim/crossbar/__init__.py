"""The physics of resistive crossbars: devices, wires, sensing, and chips made of them."""
