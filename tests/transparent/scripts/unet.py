"""Segment discs in noisy images with a small U-Net; cosine schedule, dice score."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class DoubleConv(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.block(x)


class UNet(nn.Module):
    def __init__(self, base=4):
        super().__init__()
        self.down1 = DoubleConv(1, base)
        self.down2 = DoubleConv(base, 2 * base)
        self.bottom = DoubleConv(2 * base, 4 * base)
        self.up2 = nn.ConvTranspose2d(4 * base, 2 * base, 2, stride=2)
        self.conv2 = DoubleConv(4 * base, 2 * base)
        self.up1 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.conv1 = DoubleConv(3 * base, base)
        self.out = nn.Conv2d(base, 1, 1)

    def forward(self, x):
        d1 = self.down1(x)
        d2 = self.down2(F.max_pool2d(d1, 2))
        b = self.bottom(F.max_pool2d(d2, 2))
        u2 = self.conv2(torch.cat([self.up2(b), d2], dim=1))
        u1 = self.conv1(torch.cat([self.up1(u2), d1], dim=1))
        return self.out(u1)


def discs(n, size=16):
    grid = torch.arange(size).float()
    center = torch.randint(4, size - 4, (n, 2)).float()
    distance = (grid[None, :, None] - center[:, 0, None, None]) ** 2
    distance = distance + (grid[None, None, :] - center[:, 1, None, None]) ** 2
    masks = (distance < 9).float().unsqueeze(1)
    return masks + 0.4 * torch.randn(n, 1, size, size), masks


def dice(logits, masks):
    p = torch.sigmoid(logits)
    overlap = (p * masks).sum((1, 2, 3))
    return (2 * overlap / (p.sum((1, 2, 3)) + masks.sum((1, 2, 3)))).mean()


torch.manual_seed(3)  # with some others, rounding decides ties in max pooling
images, masks = discs(24)
test_images, test_masks = discs(8)
model = UNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=3)
for epoch in range(3):
    model.train()
    for rows in torch.randperm(24).split(8):
        logits = model(images[rows])
        loss = F.binary_cross_entropy_with_logits(logits, masks[rows])
        loss = loss + 1 - dice(logits, masks[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        score = dice(model(test_images), test_masks).item()
    print(f"epoch {epoch} loss {loss.item():.4f} dice {score:.4f}")
torch.save(model.state_dict(), "model.pt")
