"""A photo or a video -> a PreparedAvatar."""
