"""What the black-box tests share: the server under test, raw HTTP, strict readers, the checker."""
