"""What everybody may change about their own login: password, second factor, sessions."""
