"""What an instructor makes of a graded assignment: exports, feedback pages, statistics, a hint at similar answers."""
