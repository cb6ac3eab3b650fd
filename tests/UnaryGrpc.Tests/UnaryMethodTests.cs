using FuncScaler.Contract;
using FuncScaler.UnaryGrpc.Health;
using Google.Protobuf.Reflection;

namespace FuncScaler.UnaryGrpc.Tests;

public sealed class UnaryMethodTests
{
    [Fact]
    public void A_method_knows_its_path()
    {
        var method = new UnaryMethod<CreateSlotRequest, CreateSlotReply>(ScalerContract.CreateSlot);

        Assert.Equal("/serverless.simulator.Platform/CreateSlot", method.Path);
        Assert.Equal("serverless.simulator.Platform", method.Service);
        Assert.Equal("CreateSlot", method.Name);
    }

    [Fact]
    public void Types_that_are_not_the_methods_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new UnaryMethod<IdleRequest, AssignReply>(ScalerContract.Assign));
        Assert.Throws<ArgumentException>(() => new UnaryMethod<AssignRequest, IdleReply>(ScalerContract.Assign));
    }

    [Fact]
    public void A_method_that_streams_is_refused()
    {
        MethodDescriptor watch = HealthReflection.Descriptor.FindTypeByName<ServiceDescriptor>("Health").FindMethodByName("Watch");

        Assert.Throws<ArgumentException>(() => new UnaryMethod<HealthCheckRequest, HealthCheckResponse>(watch));
    }

    [Fact]
    public void A_method_has_one_handler()
    {
        var assign = new UnaryMethod<AssignRequest, AssignReply>(ScalerContract.Assign);
        UnaryRoutes routes = new UnaryRoutes().Add(assign, (_, _) => ValueTask.FromResult(new AssignReply()));

        Assert.Throws<ArgumentException>(() => routes.Add(assign, (_, _) => ValueTask.FromResult(new AssignReply())));
    }
}
