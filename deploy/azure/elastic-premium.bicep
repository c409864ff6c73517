// The function app's image on Elastic Premium:
// az deployment group create -g $GROUP -f deploy/azure/elastic-premium.bicep -p deploy/azure/elastic-premium.bicepparam
import { allowing, Brokers, kafkaByToken, listed, pipeline, postgresByToken, secret, triggers } from 'settings.bicep'

@description('A registry of this resource group, which has the image of FunctionApp/Dockerfile.')
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

@description('Of the topic, when it is created; at most as many instances store.')
@minValue(1)
param partitions int = 8

@description('A subnet from which Postgres and the brokers are reached; empty: over their public addresses.')
param subnetId string = ''

@description('Other settings of the program by their variables (Postgres__Db, Kafka__Delivery, ...).')
param settings object = {}

@description('Networks, as 203.0.113.0/24, from which the status page may be opened: it tells servers, paths and errors to whoever opens it.')
param allowedFrom array = []

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
    postgresPassword: postgresPassword
    kafkaPassword: kafkaPassword
  }
}

// Read once the module has made it: by its name alone it would be looked for at once.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
  dependsOn: [shared]
}

// Passwords stand in the vault, and the settings say where. The brokers' is one in any case: the Kafka trigger takes no token.
var secrets = union(
  { LAKE_KEY: secret(vaultName, 'lake-key') },
  postgresAuth == 'entra'
    ? union(postgresByToken(identityName), { AZURE_CLIENT_ID: identity.properties.clientId })
    : { POSTGRES_PASSWORD: secret(vaultName, 'postgres-password') },
  empty(brokers.username)
    ? {}
    : {
        Kafka__SaslPassword: secret(vaultName, 'kafka-password')
        KAFKA_SASL_PASSWORD: secret(vaultName, 'kafka-password')
      },
  // Which the worker refuses by its name, rather than to come without any login.
  brokers.?auth == 'entra' ? kafkaByToken() : {}
)

var registryServer = '${registryName}${environment().suffixes.acrLoginServer}'

// The host's own. It keeps its locks in the account, so that one instance has the timer.
var host = {
  FUNCTIONS_EXTENSION_VERSION: '~4'
  FUNCTIONS_WORKER_RUNTIME: 'dotnet-isolated'
  AzureWebJobsStorage__accountName: accountName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
  AzureWebJobsSecretStorageType: 'files'
  WEBSITES_PORT: '8080'
  WEBSITES_ENABLE_APP_SERVICE_STORAGE: 'false'
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: '${prefix}-plan'
  location: location
  kind: 'elastic'
  sku: { tier: 'ElasticPremium', name: 'EP1' }
  properties: { reserved: true, maximumElasticWorkerCount: partitions }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: '${prefix}-${unique}'
  location: location
  kind: 'functionapp,linux,container'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      ipSecurityRestrictionsDefaultAction: 'Deny'
      ipSecurityRestrictions: allowing(allowedFrom)
      linuxFxVersion: 'DOCKER|${registryServer}/${image}'
      acrUseManagedIdentityCreds: true
      acrUserManagedIdentityID: identity.properties.clientId
      // The Kafka trigger's lag brings instances and takes them away; more than partitions have nothing to store.
      functionsRuntimeScaleMonitoringEnabled: true
      functionAppScaleLimit: partitions
      minimumElasticInstanceCount: 1
      healthCheckPath: '/livez'
      appSettings: listed(
        union(pipeline(rollNumber, postgresHost, brokers, partitions), triggers(rollNumber, brokers), secrets, host, settings)
      )
    }
  }
  dependsOn: [shared]
}

// The lake, with commit log and position, on every instance.
resource mounts 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'azurestorageaccounts'
  properties: {
    lake: {
      type: 'AzureFiles'
      accountName: accountName
      shareName: 'lake'
      mountPath: '/datalake'
      #disable-next-line use-secure-value-for-secure-inputs // The name of a setting, which is a reference to the vault.
      accessKey: '@AppSettingRef(LAKE_KEY)'
    }
  }
}
