// What the program takes from its environment, whatever it runs on.

@description('Where the brokers are, and how one logs in there.')
@export()
type Brokers = {
  @description('host:port, comma-separated.')
  servers: string

  @description('Empty: no login, and no TLS; or by tokens.')
  username: string

  @description('entra: by tokens of the identity, as Event Hubs takes them.')
  auth: ('password' | 'entra')?
}

@description('What the program takes beside it to log in to Postgres by tokens, as the role that bears the identity\'s name.')
@export()
func postgresByToken(identityName string) object => {
  Postgres__Auth: 'entra'
  Postgres__User: identityName
  // The one that the configuration has beside it.
  Postgres__Password: ''
}

@description('The same for the brokers.')
@export()
func kafkaByToken() object => {
  Kafka__Auth: 'entra'
  Kafka__SecurityProtocol: 'sasl_ssl'
}

@description('What configs/orders_stream.yml takes, but for passwords.')
@export()
func pipeline(rollNumber string, postgresHost string, brokers Brokers, partitions int) object =>
  union(
    {
      ROLLNUMBER: rollNumber
      POSTGRES_HOST: postgresHost
      Postgres__Sslmode: 'verify-full'
      KAFKA_BROKERS: brokers.servers
      Kafka__Partitions: string(partitions)
      Kafka__ReplicationFactor: '3'
      DATALAKE: '/datalake'
    },
    empty(brokers.username)
      ? {}
      : {
          Kafka__SecurityProtocol: 'sasl_ssl'
          Kafka__SaslMechanism: 'PLAIN'
          Kafka__SaslUsername: brokers.username
        }
  )

@description('What the triggers of the function app take beside it; they must agree with it, and are compared at start.')
@export()
func triggers(rollNumber string, brokers Brokers) object =>
  union(
    {
      KAFKA_TOPIC: topicOf(rollNumber)
      KAFKA_GROUP: groupOf(rollNumber)
      POSTGRES_TO_KAFKA_SCHEDULE: '*/5 * * * * *'
      AzureWebJobsDisableHomepage: 'true'
      // Host and worker share an instance's memory, as in the image.
      DOTNET_GCHeapHardLimitPercent: '0x28'
      DOTNET_gcServer: '0'
      DOTNET_gcConcurrent: '0'
      DOTNET_GCConserveMemory: '7'
    },
    empty(brokers.username) ? {} : { KAFKA_SASL_USERNAME: brokers.username }
  )

@export()
func topicOf(rollNumber string) string => '${rollNumber}_food_orders_raw'

@export()
func groupOf(rollNumber string) string => '${topicOf(rollNumber)}-to-lake'

@description('A setting whose value is a secret of the vault.')
@export()
func secret(vault string, name string) string => '@Microsoft.KeyVault(VaultName=${vault};SecretName=${name})'

@description('App settings as a site lists them.')
@export()
func listed(settings object) array => map(items(settings), setting => { name: setting.key, value: setting.value })

@description('Who may open the status page, as a site has it: nobody else does.')
@export()
func allowing(addresses array) array =>
  map(addresses, address => { name: 'allowed', action: 'Allow', priority: 100, ipAddress: address })
