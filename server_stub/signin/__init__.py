"""How people come in: by password with a one-time code, by certificate, by single sign-on; and for how long."""
