// The function app on Flex Consumption, by a zip file (docs/deployment.md says how that is made and brought there):
// az deployment group create -g $GROUP -f deploy/azure/flex.bicep -p deploy/azure/flex.bicepparam
import { allowing, Brokers, kafkaByToken, listed, pipeline, postgresByToken, secret, triggers } from 'settings.bicep'

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
    registryName: ''
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

// The host's own storage, by identity. With an account one instance has the timer.
var storage = {
  AzureWebJobsStorage__accountName: accountName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: '${prefix}-plan'
  location: location
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: '${prefix}-${unique}'
  location: location
  kind: 'functionapp,linux'
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
      appSettings: listed(
        union(pipeline(rollNumber, postgresHost, brokers, partitions), triggers(rollNumber, brokers), secrets, storage, settings)
      )
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: 'https://${accountName}.blob.${environment().suffixes.storage}/deployments'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }
        }
      }
      runtime: { name: 'dotnet-isolated', version: '10.0' }
      scaleAndConcurrency: {
        instanceMemoryMB: 4096
        maximumInstanceCount: max(partitions, 40)
        // The timer runs where an instance is.
        alwaysReady: [{ name: 'function:PostgresToKafka', instanceCount: 1 }]
      }
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
