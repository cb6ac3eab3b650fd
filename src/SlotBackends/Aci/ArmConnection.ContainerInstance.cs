using Azure.ResourceManager;

namespace FuncScaler.SlotBackends.Aci;

public sealed partial record ArmConnection
{
    static partial void OpenTyped(ArmClient client, AciOptions options, ref IContainerGroups? groups) =>
        groups = new ContainerInstanceGroups(client, options.Subscription);
}
