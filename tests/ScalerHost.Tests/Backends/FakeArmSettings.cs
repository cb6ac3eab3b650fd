using FuncScaler.Tests.FakeArm;

namespace FuncScaler.Tests.Backends;

/// <summary>What <c>serve --backend aci</c> is told of a fake Resource Manager: two places, whose lists are swept at the start alone.</summary>
internal static class FakeArmSettings
{
    public static string Of(FakeArmServer fake, string owner, int maxGroupsPerRegion) => $$"""
        {
          "owner": "{{owner}}", "genericResources": true,
          "subscription": "{{FakeArmServer.Subscription}}",
          "armEndpoint": "{{fake.Address}}",
          "places": [{ "resourceGroup": "slots", "region": "westeurope" }, { "resourceGroup": "slots-2", "region": "northeurope" }],
          "images": { "*": "example/runtime" },
          "port": {{fake.ContainerPort}},
          "start": { "init": "httpInit", "pollDelay": "00:00:00.010" },
          "createLimits": [], "deleteLimits": [], "maxGroupsPerRegion": {{maxGroupsPerRegion}},
          "pollDelay": "00:00:00.010", "sweepInterval": "01:00:00", "orphanGrace": "00:00:00",
        }
        """;
}
