// What each of the three plans needs: an identity, a vault that it may read, a storage account with the lake's share.
param location string
param identityName string
param vaultName string
param accountName string

@description('The registry of the image, in this resource group; empty: none is asked.')
param registryName string

@description('The namespace of Event Hubs where the identity may do all, in this resource group; empty: none.')
param eventHubsNamespace string = ''

@secure()
param postgresPassword string

@secure()
param kafkaPassword string

var roles = {
  secretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  blobOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  pull: '7f951dda-4ed3-4680-a7ca-43fe172d538d'
  eventHubsOwner: 'f526a384-b230-433a-b45c-95f59c4a2dec'
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: identityName
  location: location
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: vaultName
  location: location
  properties: {
    tenantId: subscription().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enablePurgeProtection: true
  }

  resource postgres 'secrets' = {
    name: 'postgres-password'
    properties: { value: empty(postgresPassword) ? 'none' : postgresPassword }
  }

  resource kafka 'secrets' = {
    name: 'kafka-password'
    properties: { value: empty(kafkaPassword) ? 'none' : kafkaPassword }
  }

  // A mount of Azure Files takes a key of the account, and no identity.
  resource lake 'secrets' = {
    name: 'lake-key'
    properties: { value: account.listKeys().keys[0].value }
  }
}

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: accountName
  location: location
  kind: 'StorageV2'
  sku: { name: 'Standard_ZRS' }
  properties: {
    minimumTlsVersion: 'TLS1_2'
    allowBlobPublicAccess: false
    supportsHttpsTrafficOnly: true
  }

  resource files 'fileServices' = {
    name: 'default'

    resource lake 'shares' = {
      name: 'lake'
      properties: { shareQuota: 1024, accessTier: 'TransactionOptimized' }
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource deployments 'containers' = {
      name: 'deployments'
    }
  }
}

resource readsSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, identityName, roles.secretsUser)
  scope: vault
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.secretsUser)
  }
}

resource ownsBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, identityName, roles.blobOwner)
  scope: account
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobOwner)
  }
}

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = if (!empty(registryName)) {
  name: empty(registryName) ? 'none' : registryName
}

resource pulls 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(registryName)) {
  name: guid(resourceGroup().id, registryName, identityName, roles.pull)
  scope: registry
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.pull)
  }
}

resource eventHubs 'Microsoft.EventHub/namespaces@2024-01-01' existing = if (!empty(eventHubsNamespace)) {
  name: empty(eventHubsNamespace) ? 'none00' : eventHubsNamespace
}

resource ownsEvents 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(eventHubsNamespace)) {
  name: guid(resourceGroup().id, eventHubsNamespace, identityName, roles.eventHubsOwner)
  scope: eventHubs
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsOwner)
  }
}
