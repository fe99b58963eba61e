"""What every planner promises, checked on any planner; and what each method tells whom about an owner."""
