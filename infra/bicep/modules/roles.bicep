// Ids of the built-in roles that the modules assign, once. Why each is given stands at its assignment.

@export()
@description('Built-in roles by name.')
var roles = {
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  containerInstancesContributor: '5d977122-f97e-4b4d-a52f-6b43003ddb4d'
  managedIdentityOperator: 'f1a07417-d97a-45cb-824c-7a7467783830'
  networkContributor: '4d97b98b-1d4f-4787-a291-c67834d212e7'
  acrPull: '7f951dda-4ed3-4680-a7ca-43fe172d538d'
  durableTaskDataContributor: '0ad04412-c4d5-4796-b79c-f76d14c8d402'
}
