// Both halves of LocalHost's image (deploy/Dockerfile) on Container Apps; KEDA says how many store:
// az deployment group create -g $GROUP -f deploy/azure/container-apps.bicep -p deploy/azure/container-apps.bicepparam
import { Brokers, groupOf, kafkaByToken, pipeline, postgresByToken, topicOf } from 'settings.bicep'

@description('A registry of this resource group, which has the image of deploy/Dockerfile.')
param registryName string

@description('Name and tag of the image there.')
param image string

@description('Names table, topic and folder.')
param rollNumber string

param postgresHost string

@description('entra: by tokens of the identity, as the role that bears its name.')
param postgresAuth 'password' | 'entra' = 'password'

@secure()
param postgresPassword string = ''

@description('The brokers, and who logs in there; an empty username: nobody does.')
param brokers Brokers

@secure()
param kafkaPassword string = ''

@description('The namespace of Event Hubs where the identity is to be its owner, in this resource group; empty: somebody else sees to that.')
param eventHubsNamespace string = ''

@description('Of the topic, when it is created; at most as many instances store.')
@minValue(1)
param partitions int = 8

@description('A subnet from which Postgres and the brokers are reached; empty: over their public addresses.')
param subnetId string = ''

@description('Other settings of the program by their variables (Postgres__Db, Kafka__Delivery, ...).')
param settings object = {}

@description('Stands before the names of all resources: lower-case letters and digits.')
@minLength(3)
@maxLength(10)
param prefix string = 'orders'

param location string = resourceGroup().location

var unique = uniqueString(resourceGroup().id)
var identityName = '${prefix}-identity'
var vaultName = '${prefix}-${unique}'
var accountName = '${prefix}${unique}'

module shared 'shared.bicep' = {
  name: 'shared'
  params: {
    location: location
    identityName: identityName
    vaultName: vaultName
    accountName: accountName
    registryName: registryName
    eventHubsNamespace: eventHubsNamespace
    postgresPassword: postgresPassword
    kafkaPassword: kafkaPassword
  }
}

// Read once the module has made it: by its name alone it would be looked for at once.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
  dependsOn: [shared]
}

var registryServer = '${registryName}${environment().suffixes.acrLoginServer}'
var vaultAddress = 'https://${vaultName}${environment().suffixes.keyvaultDns}'
var hasLogin = !empty(brokers.username)
var hasPassword = postgresAuth == 'password'
var hasTokens = brokers.?auth == 'entra'

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: accountName
  dependsOn: [shared]
}

resource place 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: '${prefix}-place'
  location: location
  properties: {
    vnetConfiguration: empty(subnetId) ? null : { infrastructureSubnetId: subnetId, internal: true }
    workloadProfiles: [{ name: 'Consumption', workloadProfileType: 'Consumption' }]
  }

  resource lake 'storages' = {
    name: 'lake'
    properties: {
      azureFile: {
        accountName: accountName
        accountKey: account.listKeys().keys[0].value
        shareName: 'lake'
        accessMode: 'ReadWrite'
      }
    }
    dependsOn: [shared]
  }
}

var postgresSecrets = hasPassword
  ? [{ name: 'postgres-password', keyVaultUrl: '${vaultAddress}/secrets/postgres-password', identity: identity.id }]
  : []
var kafkaSecrets = hasLogin
  ? [
      { name: 'kafka-password', keyVaultUrl: '${vaultAddress}/secrets/kafka-password', identity: identity.id }
      { name: 'kafka-username', value: brokers.username }
    ]
  : []

var everySetting = union(
  pipeline(rollNumber, postgresHost, brokers, partitions),
  hasPassword ? {} : postgresByToken(identityName),
  hasTokens ? kafkaByToken() : {},
  hasPassword && !hasTokens ? {} : { AZURE_CLIENT_ID: identity.properties.clientId },
  settings
)

var environmentVariables = concat(
  map(items(everySetting), setting => { name: setting.key, value: setting.value }),
  hasPassword ? [{ name: 'POSTGRES_PASSWORD', secretRef: 'postgres-password' }] : [],
  hasLogin ? [{ name: 'Kafka__SaslPassword', secretRef: 'kafka-password' }] : []
)

// The group's lag, as store's own offsets in it say: one more replica for each ten seconds of rows (deploy/kubernetes has the same).
var lagRule = {
  name: 'lag'
  custom: {
    type: 'kafka'
    metadata: union(
      {
        bootstrapServers: brokers.servers
        topic: topicOf(rollNumber)
        consumerGroup: groupOf(rollNumber)
        lagThreshold: '1000000'
        offsetResetPolicy: 'earliest'
        allowIdleConsumers: 'false'
      },
      hasLogin ? { sasl: 'plaintext', tls: 'enable' } : {}
    )
    auth: hasLogin
      ? [
          { triggerParameter: 'username', secretRef: 'kafka-username' }
          { triggerParameter: 'password', secretRef: 'kafka-password' }
        ]
      : []
  }
}

// Where KEDA has no way to log in: it takes no token for Kafka. Who stores takes its share of a core while there is a backlog.
var cpuRule = {
  name: 'cpu'
  custom: { type: 'cpu', metadata: { type: 'Utilization', value: '70' } }
}

// One captures, and the other stands by.
var halves = [
  {
    name: 'capture'
    only: 'postgres-to-kafka'
    resources: { cpu: json('0.5'), memory: '1Gi' }
    scale: { minReplicas: 2, maxReplicas: 2 }
  }
  {
    name: 'store'
    only: 'kafka-to-lake'
    resources: { cpu: json('0.25'), memory: '0.5Gi' }
    scale: { minReplicas: 1, maxReplicas: partitions, cooldownPeriod: 300, pollingInterval: 10, rules: [hasTokens ? cpuRule : lagRule] }
  }
]

resource apps 'Microsoft.App/containerApps@2025-01-01' = [
  for half in halves: {
    name: '${prefix}-${half.name}'
    location: location
    identity: {
      type: 'UserAssigned'
      userAssignedIdentities: { '${identity.id}': {} }
    }
    properties: {
      environmentId: place.id
      workloadProfileName: 'Consumption'
      configuration: {
        activeRevisionsMode: 'Single'
        // The status page, for the apps of this environment: it has no login.
        ingress: { external: false, targetPort: 8080, transport: 'http' }
        registries: [{ server: registryServer, identity: identity.id }]
        secrets: concat(postgresSecrets, kafkaSecrets)
      }
      template: {
        terminationGracePeriodSeconds: 20
        containers: [
          {
            name: 'orders-stream'
            image: '${registryServer}/${image}'
            args: ['run', '--only', half.only, '--ui', '0.0.0.0:8080']
            env: environmentVariables
            resources: half.resources
            probes: [
              { type: 'Startup', httpGet: { path: '/livez', port: 8080 }, periodSeconds: 2, failureThreshold: 30 }
              { type: 'Liveness', httpGet: { path: '/livez', port: 8080 }, periodSeconds: 20, failureThreshold: 3, timeoutSeconds: 5 }
              { type: 'Readiness', httpGet: { path: '/readyz', port: 8080 }, periodSeconds: 15, failureThreshold: 2, timeoutSeconds: 15 }
            ]
            volumeMounts: [{ volumeName: 'lake', mountPath: '/datalake' }]
          }
        ]
        volumes: [
          {
            name: 'lake'
            storageType: 'AzureFile'
            storageName: place::lake.name
            mountOptions: 'uid=1000,gid=1000,dir_mode=0755,file_mode=0644,mfsymlinks,nobrl'
          }
        ]
        scale: half.scale
      }
    }
  }
]
