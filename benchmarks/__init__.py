"""What the library is measured by, each program beside the clients it is compared with."""
