"""Knowledge distillation: a small student learns from a larger teacher."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(55)
T, soft_weight = 2.0, 0.7


class Teacher(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 48), nn.ReLU(), nn.Dropout(0.1), nn.Linear(48, 48), nn.ReLU(),
            nn.Linear(48, 4),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x)


class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(6, 8)
        self.out = nn.Linear(8, 4)

    def forward(self, x):
        return self.out(F.relu(self.hidden(x)))


x = torch.randn(120, 6)
y = (x @ torch.randn(6, 4)).argmax(1)
loader = DataLoader(TensorDataset(x, y), batch_size=40, shuffle=True)


def train_teacher(teacher):
    optimizer = torch.optim.Adam(teacher.parameters(), lr=5e-3)
    teacher.train()
    for _ in range(3):
        for inputs, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(teacher(inputs), labels).backward()
            optimizer.step()


def distill(teacher, student):
    optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)
    teacher.eval()
    student.train()
    for epoch in range(3):
        running = 0.0
        for inputs, labels in loader:
            optimizer.zero_grad()
            with torch.no_grad():
                teacher_logits = teacher(inputs)
            student_logits = student(inputs)
            soft = (
                F.kl_div(
                    F.log_softmax(student_logits / T, dim=-1),
                    F.softmax(teacher_logits / T, dim=-1),
                    reduction="batchmean",
                )
                * T**2
            )
            hard = F.cross_entropy(student_logits, labels)
            loss = soft_weight * soft + (1 - soft_weight) * hard
            loss.backward()
            optimizer.step()
            running += loss.item()
        print(f"Epoch {epoch + 1}/3, Loss: {running / len(loader):.6f}")


def accuracy(model):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


teacher, student = Teacher(), Student()
train_teacher(teacher)
print(f"Teacher accuracy: {accuracy(teacher):.4f}")
distill(teacher, student)
print(f"Student accuracy: {accuracy(student):.4f}")
torch.save({"teacher": teacher.state_dict(), "student": student.state_dict()}, "model.pt")
