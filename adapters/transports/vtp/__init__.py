"""VOEvent Transport Protocol 2.0 (IVOA Note of 2017): authors to brokers, brokers to subscribers, over TCP."""
