using 'elastic-premium.bicep'

param rollNumber = 'demo'
param postgresHost = 'postgres.example.com'
param postgresPassword = readEnvironmentVariable('POSTGRES_PASSWORD', '')
param brokers = { servers: 'broker.example.com:9093', username: 'orders' }
param kafkaPassword = readEnvironmentVariable('KAFKA_PASSWORD', '')
param partitions = 8
param registryName = 'registry'
param image = 'orders-stream-functions:1'
// Networks from which the status page may be opened; nobody else opens it.
param allowedFrom = []
