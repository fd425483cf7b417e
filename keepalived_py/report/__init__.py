"""What the program tells others: notify FIFOs now, mail and metrics later.  Text is made by engines; here it is delivered."""
