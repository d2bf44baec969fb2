"""Apache Kafka as a source and as a destination: any broker, any security, nothing lost and nothing skipped in silence."""
