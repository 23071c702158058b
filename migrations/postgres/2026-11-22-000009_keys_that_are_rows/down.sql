-- PostgreSQL keeps every table as a heap.
SELECT 1;
