"For authors, never imported by a lesson: copies, pages, flashcards, the site."
