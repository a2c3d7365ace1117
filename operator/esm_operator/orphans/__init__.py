"""The command that lists mappings at AWS that no resource stands for."""
