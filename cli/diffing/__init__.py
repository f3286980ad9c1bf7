"""What differs between two versions of the program, in words: pure functions over what each would register."""
