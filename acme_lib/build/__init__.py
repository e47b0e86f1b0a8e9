"""What makes the course that learners get: chapters and exercises from their text, and the archive of a release."""
