"""What makes committed files from code; never installed and never imported by glm_locust."""
